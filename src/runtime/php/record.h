#pragma once

/*
 * The call stack as the worker itself knows it, between two instructions: for runtime/trace.h.
 */

/** From zend_interrupt_function. */
void record_if_wanted(void);
