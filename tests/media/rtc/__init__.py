"""Tests of the RTC worker."""
