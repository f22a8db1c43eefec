"""What a call uses of its limits: pure, in whole numbers, before anything is written."""
