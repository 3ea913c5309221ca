"""The frame every service stands in: clock, config, logs, sd_notify, workers, files, SQLite."""
