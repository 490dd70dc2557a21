// Every loss: its value and its gradients in one pass.
#include "../operations/losses.hpp"

#include "../entry.hpp"
#include "class_losses.hpp"
#include "ctc_loss.hpp"
#include "element_losses.hpp"
#include "embedding_losses.hpp"
#include "gaussian_loss.hpp"
#include "margin_losses.hpp"

namespace maillon::MAILLON_ISA {

namespace {

template <class T> Carry if_few(const void* fields) {
    const auto& op = *static_cast<const op::ElementLoss<T>*>(fields);
    const bool squared = op.loss <= choice::ElementLoss::half_mse && op.weight == nullptr && op.sample_weight == nullptr;
    return squared && op.rows * op.columns <= few_elements ? carried<op::ElementLoss<T>, squared_error_few<T>> : nullptr;
}

const Entry entries[] = {ENTRY(ElementLoss, element_loss, .pick = {if_few<float>, if_few<double>}),
                         ENTRY(GaussianLoss, gaussian_loss),
                         ENTRY(ClassLoss, class_loss),
                         ENTRY(MultiMarginLoss, multi_margin_loss),
                         ENTRY(MultiLabelMarginLoss, multi_label_margin_loss),
                         ENTRY(CosineLoss, cosine_loss),
                         ENTRY(TripletLoss, triplet_loss),
                         ENTRY(CtcLoss, ctc_loss)};

} // namespace

FAMILY(losses)

} // namespace maillon::MAILLON_ISA
