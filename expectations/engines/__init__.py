"""The engines that judge expectations: Great Expectations on pandas, and one Polars plan."""
