/* The number of an array's elements. */
#ifndef TF_BASE_COUNT_H
#define TF_BASE_COUNT_H

/* Of an array, not of a pointer: gcc and clang warn of the latter (-Wsizeof-pointer-div). */
#define TF_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
