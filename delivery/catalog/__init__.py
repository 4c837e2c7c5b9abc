"""What users write: the `delivery.Service` component, its models, the loader and its validation."""
