"""Published data sets: how their files lie, which split they belong to, and chips laid side by side in sheets."""
