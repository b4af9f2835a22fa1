/* What procmon does, as its README describes it: it gets a message for every fork, exec and exit, reads the process's status
   and command line with stdio, leaves root out, and appends a line of JSON. It has no filter on the socket, the default queue,
   and the default priority. It ends at SIGTERM. */
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t stopped;

static void stop(int number) { (void)number; stopped = 1; }

static void report(int pid)
{
    char path[64], line[512], name[64] = "", words[8192], time_text[64];
    int ppid = 0, uid = -1;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return;
    while (fgets(line, sizeof line, file)) {
        sscanf(line, "Name: %63s", name);
        sscanf(line, "PPid: %d", &ppid);
        sscanf(line, "Uid: %d", &uid);
    }
    fclose(file);
    if (uid == 0)
        return;
    snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
    file = fopen(path, "r");
    size_t length = file ? fread(words, 1, sizeof words - 1, file) : 0;
    if (file)
        fclose(file);
    for (size_t i = 0; i < length; i++)
        if (words[i] == 0)
            words[i] = i + 1 < length ? ' ' : 0;
        else if (words[i] < ' ' || words[i] > '~' || words[i] == '"' || words[i] == '\\')
            words[i] = '?';
    words[length] = 0;
    time_t now = time(NULL);
    strftime(time_text, sizeof time_text, "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
    printf("{\"timestamp\":\"%s\",\"event\":\"exec\",\"pid\":%d,\"name\":\"%s\",\"ppid\":%d,\"uid\":%d,\"command\":\"%s\"}\n",
           time_text, pid, name, ppid, uid, words);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct sigaction action = { .sa_handler = stop };
    sigaction(SIGTERM, &action, NULL);
    int sock = socket(PF_NETLINK, SOCK_DGRAM, NETLINK_CONNECTOR);
    struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = CN_IDX_PROC, .nl_pid = getpid() };
    if (sock < 0 || bind(sock, (struct sockaddr *)&address, sizeof address))
        return perror("the process connector"), 1;
    struct __attribute__((packed)) {
        struct nlmsghdr header;
        struct cn_msg message;
        enum proc_cn_mcast_op operation;
    } request = {
        .header = { .nlmsg_len = sizeof request, .nlmsg_pid = getpid(), .nlmsg_type = NLMSG_DONE },
        .message = { .id = { CN_IDX_PROC, CN_VAL_PROC }, .len = sizeof(enum proc_cn_mcast_op) },
        .operation = PROC_CN_MCAST_LISTEN,
    };
    if (send(sock, &request, sizeof request, 0) < 0)
        return perror("the process connector"), 1;
    char buffer[4096] __attribute__((aligned(NLMSG_ALIGNTO)));
    while (!stopped) {
        ssize_t length = recv(sock, buffer, sizeof buffer, 0);
        /* procmon ends when its queue was full. This one goes on, so that there is a figure. */
        if (length < 0)
            continue;
        for (struct nlmsghdr *header = (void *)buffer; NLMSG_OK(header, length); header = NLMSG_NEXT(header, length)) {
            struct cn_msg *message = NLMSG_DATA(header);
            struct proc_event *event = (void *)message->data;
            if (event->what == PROC_EVENT_EXEC)
                report(event->event_data.exec.process_pid);
        }
    }
    return 0;
}
