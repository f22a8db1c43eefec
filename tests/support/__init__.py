"""What tests share: real servers, made values, peers that misbehave, and the oracle of the policy language."""
