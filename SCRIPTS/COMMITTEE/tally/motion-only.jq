# The tally of a motion alone; input and output as motion.jq says.

include "motion";

motion
