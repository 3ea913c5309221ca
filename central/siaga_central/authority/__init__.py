"""Who is who: certificates of nodes and servers, passwords of people."""
