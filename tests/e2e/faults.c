/* What a broken disk and a clock that is set do, for programs started with this in LD_PRELOAD.

   FAULT_CALL   write, sync or rename: fails where FAULT_PATH is part of the path (of the new one, for rename)
   FAULT_PATH   and FAULT_PROGRAM, when set, is the program's name; FAULT_ERRNO is the number of the error
   FAULT_HITS   a file that gets a line for each call that was made to fail; once FAULT_ONCE is set, only the first
   FAULT_CLOCK  a file with the seconds that the clock (not the time that passes) is ahead; "-7200": two hours behind
*/
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int hit(const char *call, const char *path)
{
    const char *wanted = getenv("FAULT_CALL"), *part = getenv("FAULT_PATH"), *program = getenv("FAULT_PROGRAM");
    const char *hits = getenv("FAULT_HITS"), *number = getenv("FAULT_ERRNO");
    if (!wanted || !part || !hits || !number || strcmp(wanted, call) || !strstr(path, part))
        return 0;
    if (program && strcmp(program, program_invocation_short_name))
        return 0;
    int file = open(hits, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (getenv("FAULT_ONCE") ? O_EXCL : 0), 0600);
    if (file < 0)
        return 0;
    dprintf(file, "%s %s %s\n", program_invocation_short_name, call, path);
    close(file);
    errno = atoi(number);
    return 1;
}

static int hit_file(const char *call, int file)
{
    char name[64], path[4096];
    if (!getenv("FAULT_CALL"))
        return 0;
    snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    ssize_t size = readlink(name, path, sizeof path - 1);
    if (size < 0)
        return 0;
    path[size] = 0;
    return hit(call, path);
}

ssize_t write(int file, const void *data, size_t size)
{
    return hit_file("write", file) ? -1 : syscall(SYS_write, file, data, size);
}

int fsync(int file)
{
    return hit_file("sync", file) ? -1 : syscall(SYS_fsync, file);
}

int fdatasync(int file)
{
    return hit_file("sync", file) ? -1 : syscall(SYS_fdatasync, file);
}

int rename(const char *old, const char *new)
{
    return hit("rename", new) ? -1 : syscall(SYS_renameat2, AT_FDCWD, old, AT_FDCWD, new, 0);
}

int renameat(int from, const char *old, int to, const char *new)
{
    return hit("rename", new) ? -1 : syscall(SYS_renameat2, from, old, to, new, 0);
}

int renameat2(int from, const char *old, int to, const char *new, unsigned int flags)
{
    return hit("rename", new) ? -1 : syscall(SYS_renameat2, from, old, to, new, flags);
}

static time_t ahead(void)
{
    const char *name = getenv("FAULT_CLOCK");
    char text[32] = "";
    int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return 0;
    ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    return size > 0 ? atol(text) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += ahead();
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec real;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &real);
    now->tv_sec = real.tv_sec;
    now->tv_usec = real.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *where)
{
    struct timespec real;
    clock_gettime(CLOCK_REALTIME, &real);
    if (where)
        *where = real.tv_sec;
    return real.tv_sec;
}
