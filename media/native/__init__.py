"""The data plane in C (`plane.h` says what it does), and how it is compiled (`build.py`)."""
