"""The parts of the agent executor: its host, its durable state, one turn, tool calls, context and result."""
