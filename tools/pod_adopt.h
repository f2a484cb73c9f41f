/* pod_adopt.h: `liger pod adopt`. */
#ifndef LIGER_TOOLS_POD_ADOPT_H
#define LIGER_TOOLS_POD_ADOPT_H

int pod_adopt(int argc, char **argv);

#endif
