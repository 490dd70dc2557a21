"""Links that only files of ONNX need: what its operators say and no link of `maillon.nn` does."""
