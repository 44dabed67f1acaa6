//! What differs between file systems and operating systems, each call with its Windows twin.
