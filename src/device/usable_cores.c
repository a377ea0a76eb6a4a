#include "usable_cores.h"

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifdef __linux__

/* --- the quota of a control group: https://docs.kernel.org/admin-guide/cgroup-v2.html, cpu.max ---
 */

enum { PATH_BYTES = 4096 };

static bool read_line(const char *root, const char *folder, const char *file, char line[64]) {
    char path[3 * PATH_BYTES];
    snprintf(path, sizeof path, "%s%s/%s", root, folder, file);
    FILE *stream = fopen(path, "r");
    bool read = stream && fgets(line, 64, stream);
    if (stream) fclose(stream);
    return read;
}

/* Cores' worth of time that this one group gives, or more than there are cores. */
static double group_quota(const char *root, const char *folder) {
    char line[64], period[64];
    double quota = 0, of = 0;
    bool limited = read_line(root, folder, "cpu.max", line)
                       ? sscanf(line, "%lf %lf", &quota, &of) == 2 /* not "max 100000" */
                       : read_line(root, folder, "cpu.cfs_quota_us", line) &&
                             read_line(root, folder, "cpu.cfs_period_us", period) &&
                             sscanf(line, "%lf", &quota) == 1 && sscanf(period, "%lf", &of) == 1;
    return limited && quota > 0 && of > 0 ? quota / of : UINT32_MAX;
}

/* The least of a group and of all above it. Inside a container the group's path may be that of the
 * host, where there is nothing: then only what is above it counts. */
static double hierarchy_quota(const char *root, const char *mount, const char *group) {
    char folder[2 * PATH_BYTES];
    snprintf(folder, sizeof folder, "%s%s", mount, group);
    double least = UINT32_MAX;
    for (;;) {
        double quota = group_quota(root, folder);
        if (quota < least) least = quota;
        if (strlen(folder) <= strlen(mount)) return least;
        *strrchr(folder, '/') = 0;
    }
}

/* A line "0::/group" (version 2) or "4:cpu,cpuacct:/group" (version 1) of /proc/self/cgroup. */
static double line_quota(const char *root, char *line) {
    char *controllers = strchr(line, ':'),
         *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group) return UINT32_MAX;
    *controllers++ = 0;
    *group++ = 0;
    group[strcspn(group, "\n")] = 0;
    if (!*controllers) return hierarchy_quota(root, "/sys/fs/cgroup", group);
    if (!strcmp(controllers, "cpu")) return hierarchy_quota(root, "/sys/fs/cgroup/cpu", group);
    if (strcmp(controllers, "cpu,cpuacct")) return UINT32_MAX;
    return hierarchy_quota(root, "/sys/fs/cgroup/cpu,cpuacct", group);
}

static double time_quota(const char *root) {
    char path[PATH_BYTES + 32], line[PATH_BYTES];
    double least = UINT32_MAX;
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *groups = fopen(path, "r");
    while (groups && fgets(line, sizeof line, groups)) {
        double quota = line_quota(root, line);
        if (quota < least) least = quota;
    }
    if (groups) fclose(groups);
    return least;
}

static double core_count(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
    return (double)sysconf(_SC_NPROCESSORS_ONLN); /* more cores than the set has room for */
}

#else

static double time_quota(const char *root) {
    (void)root;
    return UINT32_MAX;
}

static double core_count(void) {
    return (double)sysconf(_SC_NPROCESSORS_ONLN);
}

#endif

uint32_t usable_cores(const char *root) {
    double cores = core_count(), quota = time_quota(root);
    if (quota < cores) cores = quota;
    return cores >= 1 ? (uint32_t)cores : 1;
}
