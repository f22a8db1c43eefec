"""What people are told of held calls: how a message shows all of a call, and how it gets there in the end."""
