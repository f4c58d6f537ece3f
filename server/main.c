/* server/main.c: wardmote-server, the aggregator. */
#include "server/commands/commands.h"

int main(int argc, char **argv)
{
    return wm_cli_main(&wm_server_program, argc, argv, stdout, stderr);
}
