/* server/tool/main.c: wardmote, the analyst's tool. */
#include "server/tool/tool.h"

int main(int argc, char **argv)
{
    return wm_tool_main(argc, argv, stdout, stderr);
}
