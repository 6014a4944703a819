// An MPI whose end takes longer than a few seconds, as on a machine that is busy: preloaded.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>

int MPI_Finalize(void);

int MPI_Finalize(void)
{
    int (*end)(void);

    sleep(5);
    *(void **)&end = dlsym(RTLD_DEFAULT, "PMPI_Finalize");
    return end();
}
