"""What crosses the link, as values: ids, topics, envelope and one module per message kind. Pure."""
