/* tests/e2e/namespaces.h
 *
 * Networks of our own: namespaces, and in each the end of a wire, a TUN device, whose packets this process holds. With or
 * without root; not everywhere allowed, which is the caller's to say. A namespace is a descriptor; it is the calling
 * thread that goes from one into another. */
#ifndef WM_TESTS_E2E_NAMESPACES_H
#define WM_TESTS_E2E_NAMESPACES_H

#include <stdbool.h>
#include <stdint.h>

bool namespace_leave_the_machine(void); /* into a new one; while the process has one thread */
bool namespace_leave(void);             /* into a new one, from one of ours */
int  namespace_present(void);           /* -1: it cannot be opened */
void namespace_enter(int namespace);

/* The end of the wire in the present namespace, at that address (in the order of the host) of a /16; reads do not wait.
 * -1: not allowed here. */
int  wire_open(uint32_t address);
bool wire_move(uint32_t address); /* to another address */

#endif
