"""Loss terms: pure functions of features, persons and modality; torch, but no paper."""
