"""Networks: trunks, pooling and heads; torch, but no paper."""
