"""What runs the stages: containers, Kubernetes manifests, scrape targets and the dashboard, rendered from the declarations."""
