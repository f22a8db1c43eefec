"""What the dearest inputs cost that can be sent, beside plain JSON: one room for each kind of what reads them."""
