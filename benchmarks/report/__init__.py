"""What was found, as people read it: tables, pictures, goals met or missed, two runs side by side."""
