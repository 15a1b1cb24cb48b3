"""What `benches/run` is made of: the workloads, the aims, building the programs, running them, the report."""
