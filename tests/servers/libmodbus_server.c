/* A libmodbus server for tests/servers/modbus/libmodbus.rs.
 *
 *     libmodbus_server tcp    Modbus TCP
 *     libmodbus_server rtu    unit 1 on a pseudo-terminal
 *
 * Prints "listening LINK", then answers each line of its standard input with one line:
 *
 *     functions    the function codes seen so far, e.g. "3 4"
 *     longest      the most registers and the most bits asked for at once, e.g. "125 2000"
 *
 * Ends with its standard input. Written for libmodbus 3.1. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

enum { BITS = 2100, REGISTERS = 300 };

static int seen[256], most_registers, most_bits;

static modbus_mapping_t *contents(void) {
    modbus_mapping_t *map = modbus_mapping_new(BITS, BITS, REGISTERS, REGISTERS);
    if (map == NULL) exit(1);
    for (int i = 0; i < BITS; i++) {
        map->tab_bits[i] = i % 3 == 0;
        map->tab_input_bits[i] = i % 5 == 0;
    }
    for (int i = 0; i < REGISTERS; i++) {
        map->tab_registers[i] = i * 211;
        map->tab_input_registers[i] = 65535 - i * 101;
    }
    return map;
}

static void note(const uint8_t *pdu) {
    int function = pdu[0], count = pdu[3] << 8 | pdu[4];
    seen[function] = 1;
    int *most = function <= 2 ? &most_bits : &most_registers;
    if (count > *most) *most = count;
}

/* Answers the line of standard input, or ends with it. */
static void command(void) {
    char line[64];
    if (fgets(line, sizeof line, stdin) == NULL) exit(0);
    if (strcmp(line, "longest\n") == 0) {
        printf("%d %d", most_registers, most_bits);
    } else if (strcmp(line, "functions\n") == 0) {
        for (int i = 0; i < 256; i++)
            if (seen[i]) printf("%d ", i);
    } else {
        printf("what?");
    }
    printf("\n");
    fflush(stdout);
}

/* Opens what requests come through, says so, and gives its descriptor. */
static int open_link(modbus_t *ctx, int is_tcp) {
    if (is_tcp) {
        struct sockaddr_in place;
        socklen_t size = sizeof place;
        int listener = modbus_tcp_listen(ctx, 1);
        if (listener < 0 || getsockname(listener, (struct sockaddr *)&place, &size) < 0) exit(1);
        printf("listening tcp://127.0.0.1:%d\n", ntohs(place.sin_port));
        return listener;
    }
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0) exit(1);
    printf("listening rtu://%s?baud=19200&parity=even\n", ptsname(master));
    modbus_set_socket(ctx, master);
    modbus_set_slave(ctx, 1);
    return master;
}

int main(int argc, char **argv) {
    int is_tcp = argc > 1 && strcmp(argv[1], "tcp") == 0;
    modbus_t *ctx = is_tcp ? modbus_new_tcp("127.0.0.1", 0) : modbus_new_rtu("unused", 19200, 'E', 8, 1);
    modbus_mapping_t *map = contents();
    setvbuf(stdin, NULL, _IONBF, 0); /* select sees no line that stdio has already taken */
    int door = open_link(ctx, is_tcp), line = is_tcp ? -1 : door;
    fflush(stdout);
    for (;;) {
        uint8_t query[MODBUS_MAX_ADU_LENGTH];
        fd_set ready;
        FD_ZERO(&ready);
        FD_SET(STDIN_FILENO, &ready);
        FD_SET(line < 0 ? door : line, &ready);
        if (select(FD_SETSIZE, &ready, NULL, NULL, NULL) < 0) return 1;
        if (FD_ISSET(STDIN_FILENO, &ready)) command();
        if (line < 0 && FD_ISSET(door, &ready)) {
            line = modbus_tcp_accept(ctx, &door);
        } else if (line >= 0 && FD_ISSET(line, &ready)) {
            int size = modbus_receive(ctx, query);
            if (size > 0) {
                note(query + modbus_get_header_length(ctx));
                modbus_reply(ctx, query, size, map);
            } else if (size < 0 && is_tcp) {
                modbus_close(ctx);
                line = -1;
            } else if (size < 0) {
                usleep(10000); /* nobody has the other end open just now */
            }
        }
    }
}
