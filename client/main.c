/* client/main.c: wardmote-client, a gateway's daemon. */
#include "client/commands.h"

int main(int argc, char **argv)
{
    return wm_cli_main(&wm_client_program, argc, argv, stdout, stderr);
}
