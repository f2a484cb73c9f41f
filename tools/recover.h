/* recover.h: `liger recover`. */
#ifndef LIGER_TOOLS_RECOVER_H
#define LIGER_TOOLS_RECOVER_H

int recover_main(int argc, char **argv);

#endif
