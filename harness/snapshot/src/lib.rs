//! Golden serial logs in the file format of insta.
