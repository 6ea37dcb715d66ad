#include "runtime/php/engine.h"

int main(int argc, char **argv)
{
    return runtime_main(argc, argv, &php_engine);
}
