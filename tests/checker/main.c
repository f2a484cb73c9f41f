/* main.c: check-history [--order none|session|realtime] FILE... */
#include "checker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int usage(void)
{
	fprintf(stderr, "usage: check-history [--order none|session|realtime] FILE...\n");
	return 2;
}

static bool read_file(struct history *h, const char *path)
{
	char message[512];
	FILE *in = fopen(path, "r");
	if (in == NULL) {
		fprintf(stderr, "check-history: cannot open %s: %s\n", path, strerror(errno));
		return false;
	}
	bool good = history_read(h, in, path, message, sizeof(message));
	if (!good)
		fprintf(stderr, "check-history: %s\n", message);
	fclose(in);
	return good;
}

int main(int argc, char **argv)
{
	static const char *const orders[] = {"none", "session", "realtime"};
	static struct checker_result result;
	enum checker_order order = CHECKER_ORDER_NONE;
	int at = 1;
	if (argc > 2 && strcmp(argv[1], "--order") == 0) {
		while (strcmp(argv[2], orders[order]) != 0) {
			if (order++ == CHECKER_ORDER_REALTIME)
				return usage();
		}
		at = 3;
	}
	if (at >= argc || argv[at][0] == '-')
		return usage();
	struct history h;
	history_init(&h);
	bool good = true;
	for (; good && at < argc; at++)
		good = read_file(&h, argv[at]);
	if (good) {
		checker_run(&h, order, &result);
		printf("%s%zu transactions, %zu committed, %zu lives, %zu dependencies, %zu absences (%zu undecided): "
		       "%s\n",
		        result.report, h.txn_count, result.committed, result.lives, result.edges, result.absences,
		        result.undecided, anomaly_name(result.anomaly));
	}
	history_free(&h);
	return !good ? 2 : result.anomaly != ANOMALY_NONE;
}
