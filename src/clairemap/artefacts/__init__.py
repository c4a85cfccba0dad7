"""Files that stages write: one module per file, with the model that writer and readers share."""
