"""Who acts, and how that is proven: tokens verified and tokens issued."""
