"""Two ECS services as the slots of one delivery target: what runs there, and who gets the traffic."""
