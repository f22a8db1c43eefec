"""Checked documents to the data the decision library reads."""
