"""Load balancers as one proxy: its configuration (pure), its process, and target health by asking."""
