//! NPY files: headers, the index record, positioned targets.
