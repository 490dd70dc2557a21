// Every loss: its value and its gradient in one pass.
#pragma once

#include "class_losses.hpp"
#include "element_losses.hpp"
