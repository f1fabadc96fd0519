"""What a failure tells: hops, chains, codes, and how they stick to users' exceptions and answers."""
