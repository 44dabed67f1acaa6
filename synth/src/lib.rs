//! Writes `.trc` files for demonstrations and tests; must never depend on `trc2npy-common`, so that reader and writer cannot share a mistake.
