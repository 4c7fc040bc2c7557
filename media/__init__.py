"""SDP, RTP and the engines that relay, play and listen."""
