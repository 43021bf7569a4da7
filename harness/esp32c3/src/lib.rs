//! The ESP32-C3 chip model.
