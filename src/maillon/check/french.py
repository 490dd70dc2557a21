"""The sentences of the checks in French, by their English templates; a test holds that none is missing."""

FRENCH = {
    # The frame of a message
    "rule {rule}, {sentence}: broken by {link}.": "règle {rule}, {sentence} : {link} ne la respecte pas.",
    "{what}: expected {expected}, got {got}{error}.": "{what} : attendu {expected}, obtenu {got}{error}.",
    " (relative error {number})": " (erreur relative {number})",
    "right": "justes",
    "relative error ≤ {error}": "erreur relative ≤ {error}",
    "{first} {second}": "{first} {second}",
    # The rules of a link
    "backward is the exact derivative of forward": "backward est la dérivée exacte de forward",
    "backward adds to each Parameter.grad": "backward ajoute à chaque Parameter.grad",
    "inputs, grad_output and what was kept are not changed": (
        "les entrées, grad_output et ce qui a été gardé ne sont pas modifiés"
    ),
    "gradients are nested, shaped and typed like the inputs": (
        "les gradients ont l'imbrication, la forme et le type des entrées"
    ),
    "one forward serves one backward": "un forward sert à un seul backward",
    "backward works in eval mode too": "backward fonctionne aussi en mode eval",
    "the reductions agree: mean · denominator = sum = Σ none": (
        "les réductions sont cohérentes : mean · dénominateur = sum = Σ none"
    ),
    "backward() is backward(1)": "backward() est backward(1)",
    # The rules of the handout
    "forward is a function of its input and the parameters": "forward est une fonction de son entrée et des paramètres",
    "what is given is not changed": "ce qui est donné n'est pas modifié",
    "backward_delta is the gradient with respect to the input": "backward_delta est le gradient par rapport à l'entrée",
    "backward_update_gradient adds the gradient with respect to the parameters": (
        "backward_update_gradient ajoute le gradient par rapport aux paramètres"
    ),
    "zero_grad sets the gradients to zero": "zero_grad remet les gradients à zéro",
    "update_parameters takes one step against the gradient": (
        "update_parameters fait un pas dans le sens opposé au gradient"
    ),
    "backward of a loss is the derivative of its forward with respect to yhat": (
        "le backward d'une perte est la dérivée de son forward par rapport à yhat"
    ),
    "a learning step is forward, loss, backward, update": (
        "un pas d'apprentissage, c'est : forward, perte, backward, mise à jour"
    ),
    "each epoch uses each example once": "chaque époque utilise chaque exemple une fois",
    # What was looked at
    "gradient of the input": "gradient par rapport à l'entrée",
    "gradient of the input, where that is exactly 0": (
        "gradient par rapport à l'entrée, là où celle-ci vaut exactement 0"
    ),
    "gradient of the input, of the first example alone": (
        "gradient par rapport à l'entrée, pour le premier exemple seul"
    ),
    "gradient of yhat": "gradient par rapport à yhat",
    "gradient of {name}": "gradient de {name}",
    "gradient of {name}, after two backward passes": "gradient de {name}, après deux passes backward",
    "gradient of {name}, after zero_grad": "gradient de {name}, après zero_grad",
    "gradient of {name}, after zero_grad and a backward pass": (
        "gradient de {name}, après zero_grad et une passe backward"
    ),
    "parameter {name} after update_parameters({step})": "paramètre {name} après update_parameters({step})",
    "parameter {name} after the backward pass": "paramètre {name} après la passe backward",
    "parameter {name} after zero_grad": "paramètre {name} après zero_grad",
    "parameter {name} after one step": "paramètre {name} après un pas",
    "parameter {name} after a second step": "paramètre {name} après un deuxième pas",
    "parameter {name} at the end": "paramètre {name} à la fin",
    "step of {name}, divided by gradient_step": "pas de {name}, divisé par gradient_step",
    "forward after a forward of another input": "forward après un forward sur une autre entrée",
    "forward of the first example alone": "forward du premier exemple seul",
    "forward of inputs of 1000": "forward d'entrées de l'ordre de 1000",
    "{argument} after {method}": "{argument} après {method}",
    "arguments": "arguments",
    "attributes": "attributs",
    "parameters": "paramètres",
    "a batch": "un lot",
    "the targets of a batch": "les cibles d'un lot",
    "the largest batch": "le plus grand lot",
    "uses of the examples 0 … {last}": "nombre d'utilisations des exemples 0 … {last}",
    # What was expected, and what came
    "a result": "un résultat",
    "an array": "un tableau",
    "an array of shape {shape}": "un tableau de forme {shape}",
    "one of shape {shape}": "un tableau de forme {shape}",
    "finite values": "des valeurs finies",
    "NaN or infinity": "NaN ou l'infini",
    "NaN, infinity or other values": "NaN, l'infini ou d'autres valeurs",
    "the same for the same input": "le même résultat pour la même entrée",
    "two different ones": "deux résultats différents",
    "the same values": "les mêmes valeurs",
    "other ones": "d'autres valeurs",
    "others": "d'autres",
    "another one": "un autre",
    "something else": "autre chose",
    "none": "rien",
    "zeros": "des zéros",
    "a method": "une méthode",
    "a method backward, or backward_delta and backward_update_gradient": (
        "une méthode backward, ou bien backward_delta et backward_update_gradient"
    ),
    "a network": "un réseau",
    "a loss": "une perte",
    "a gradient_step": "un gradient_step",
    "a network, a loss and a gradient_step": "un réseau, une perte et un gradient_step",
    "net, loss, datax, datay, batch_size, epochs, eps, or the like": (
        "net, loss, datax, datay, batch_size, epochs, eps, ou des noms voisins"
    ),
    "calls of the network and of the loss": "des appels du réseau et de la perte",
    "rows of x": "des lignes de x",
    "those of its examples": "celles de ses exemples",
    "{count} each": "{count} chacun",
    "{count} examples": "{count} exemples",
    "the first row of the whole batch's output": "la première ligne de la sortie du lot entier",
    "the first row of the whole batch's": "la première ligne de celui du lot entier",
    "the sum of both gradients": "la somme des deux gradients",
    "the first one alone": "le premier seul",
    "the second one alone": "le deuxième seul",
    "the first one twice and the second": "deux fois le premier, plus le deuxième",
    "their difference": "leur différence",
    "the gradient of before": "le gradient d'avant",
    "that of the first backward pass": "celui de la première passe backward",
    "the same as before": "la même valeur qu'avant",
    "{name} − {step} · gradient": "{name} − {step} · gradient",
    "−{step} · gradient alone": "−{step} · gradient seul",
    "the old value − {factor} · gradient": "l'ancienne valeur − {factor} · gradient",
    "the output of its modules, one after the other": "la sortie de ses modules, l'un après l'autre",
    "what {count} steps of size {step} by the right gradients give": (
        "ce que donnent {count} pas de taille {step} avec les bons gradients"
    ),
    "one for each of {link}": "un pour chacun de ceux de {link}",
    "a differentiable function near the input": "une fonction dérivable près de l'entrée",
    "a slope between {low} and {high}": "une pente entre {low} et {high}",
    "{number} at {where}, by finite differences": "{number} en {where}, par différences finies",
    "{number} from {method}": "{number} par {method}",
    "{number} at {where}, as {link} gives": "{number} en {where}, comme {link}",
    "{number}, as {link} gives": "{number}, comme {link}",
    "backward": "backward",
    "backward_delta": "backward_delta",
    "backward_update_gradient": "backward_update_gradient",
    "the backward pass": "la passe backward",
    # Causes, shapes
    "It is transposed.": "Il est transposé.",
    "Its shape is that of the transposed array.": "Sa forme est celle du tableau transposé.",
    "It is not summed over axis {axis}, the examples of the batch.": (
        "Il manque la somme sur l'axe {axis}, celui des exemples du lot."
    ),
    "It is not summed over axis {axis}.": "Il manque la somme sur l'axe {axis}.",
    "It is {delta} itself, not summed over the batch.": "C'est {delta} lui-même : il manque la somme sur le lot.",
    "It is {delta} summed over axis {axis}, the wrong one.": (
        "C'est {delta} sommé sur l'axe {axis}, qui n'est pas le bon."
    ),
    "It is summed over axis {axis}: nothing is to be summed there.": (
        "Il est sommé sur l'axe {axis} : il n'y a rien à sommer là."
    ),
    "It is averaged over axis {axis}: nothing is to be averaged there.": (
        "On a pris la moyenne sur l'axe {axis} : il n'y a pas de moyenne à prendre là."
    ),
    "It is summed over all axes: one number is left.": "Il est sommé sur tous les axes : il ne reste qu'un nombre.",
    "Its axes {axes} are exchanged.": "Ses axes {axes} sont échangés.",
    "It is flipped along axes {axes}: a convolution in place of a cross-correlation, or the reverse.": (
        "Il est retourné le long des axes {axes} : une convolution au lieu d'une corrélation croisée, ou l'inverse."
    ),
    "Its shape was {shape}.": "Sa forme était {shape}.",
    # Causes, factors and terms
    "The sign is wrong.": "Le signe est faux.",
    "The sign is wrong too.": "Le signe est faux aussi.",
    "It is {factor} times what it should be.": "Il vaut {factor} fois ce qu'il devrait.",
    "A factor 2 too much, or added twice.": "Un facteur 2 de trop, ou bien il est ajouté deux fois.",
    "A factor 2 is missing.": "Il manque un facteur 2.",
    "It is divided by {name}, {size}: a mean in place of a sum.": (
        "Il est divisé par {name}, {size} : une moyenne au lieu d'une somme."
    ),
    "{size} is {name}: a sum in place of a mean.": "{size}, c'est {name} : une somme au lieu d'une moyenne.",
    "It is divided by the square root of {name}, {size}, once too often.": (
        "Il est divisé une fois de trop par la racine de {size}, {name}."
    ),
    "The division by the square root of {name}, {size}, is missing.": (
        "Il manque la division par la racine de {size}, {name}."
    ),
    "the number of examples in the batch": "le nombre d'exemples du lot",
    "the number of examples": "le nombre d'exemples",
    "the number of outputs": "le nombre de sorties",
    "the number of inputs": "le nombre d'entrées",
    "the number of elements of the output": "le nombre d'éléments de la sortie",
    "the number of all elements": "le nombre total d'éléments",
    "It is zero everywhere.": "Il est nul partout.",
    "The output of forward does not depend on it: it should be zero.": (
        "La sortie de forward n'en dépend pas : il devrait être nul."
    ),
    "It is not multiplied by {delta}.": "Il n'est pas multiplié par {delta}.",
    "It is multiplied by {delta} twice.": "Il est multiplié deux fois par {delta}.",
    "It is {delta} itself: the derivative is missing.": "C'est {delta} lui-même : il manque la dérivée.",
    "{name} must be transposed here: {delta} is multiplied by the wrong side of it.": (
        "Il faut transposer {name} ici : {delta} est multiplié du mauvais côté."
    ),
    "The derivative is taken at the output of forward in place of its input.": (
        "La dérivée est prise en la sortie de forward au lieu de son entrée."
    ),
    "{name} is added to what is right.": "{name} est ajouté à ce qui est juste.",
    "{factor} · {name} is added to what is right.": "{factor} · {name} est ajouté à ce qui est juste.",
    "{name} is missing: what is right less {name} came.": (
        "Il manque {name} : on obtient ce qui est juste moins {name}."
    ),
    "It is multiplied by {name} once too often.": "Il est multiplié une fois de trop par {name}.",
    "A factor {name} is missing.": "Il manque un facteur {name}.",
    # Causes, functions of each element, softmaxes
    "The cross terms are missing: each output depends on several inputs, and only ∂y_i/∂x_i is there.": (
        "Il manque les termes croisés : chaque sortie dépend de plusieurs entrées, et seul ∂y_i/∂x_i est là."
    ),
    "It is {delta} · {factor}, and that is not the derivative.": "C'est {delta} · {factor}, qui n'est pas la dérivée.",
    "It is {delta} · {factor}; {delta} · {owed} is right.": "C'est {delta} · {factor} ; il faut {delta} · {owed}.",
    "It is {factor} without {delta}; {delta} · {owed} is right.": (
        "C'est {factor} sans {delta} ; il faut {delta} · {owed}."
    ),
    "The mask looks at the sign of {delta} in place of the input.": (
        "Le masque regarde le signe de {delta} au lieu de celui de l'entrée."
    ),
    "The term with the sum is missing: y · ({delta} − Σ y · {delta}) is right.": (
        "Il manque le terme avec la somme : il faut y · ({delta} − Σ y · {delta})."
    ),
    "The factor y before the bracket is missing: y · ({delta} − Σ y · {delta}) is right.": (
        "Il manque le facteur y devant la parenthèse : il faut y · ({delta} − Σ y · {delta})."
    ),
    "The sum has the wrong sign: y · ({delta} − Σ y · {delta}) is right.": (
        "La somme a le mauvais signe : il faut y · ({delta} − Σ y · {delta})."
    ),
    "The sum lacks y: y · ({delta} − Σ y · {delta}) is right.": (
        "Il manque y dans la somme : il faut y · ({delta} − Σ y · {delta})."
    ),
    "The sum runs over {axis}; it belongs over the last axis, the classes of one example.": (
        "La somme porte sur {axis} ; elle doit porter sur le dernier axe, les classes d'un même exemple."
    ),
    "axis 0": "l'axe 0",
    "all axes": "tous les axes",
    "It is y − {delta}: softmax and cross-entropy in one. A softmax owes y · ({delta} − Σ y · {delta}).": (
        "C'est y − {delta} : softmax et entropie croisée réunis. Le softmax seul doit donner y · ({delta} − Σ y ·"
        " {delta})."
    ),
    "The softmax is not multiplied by Σ {delta}: {delta} − softmax(x) · Σ {delta} is right.": (
        "Le softmax n'est pas multiplié par Σ {delta} : il faut {delta} − softmax(x) · Σ {delta}."
    ),
    "The sum over the classes is missing: {delta} − softmax(x) · Σ {delta} is right.": (
        "Il manque la somme sur les classes : il faut {delta} − softmax(x) · Σ {delta}."
    ),
    "The output is put in where its exponential belongs: {delta} − softmax(x) · Σ {delta} is right.": (
        "La sortie est mise à la place de son exponentielle : il faut {delta} − softmax(x) · Σ {delta}."
    ),
    "The sum has the wrong sign: {delta} − softmax(x) · Σ {delta} is right.": (
        "La somme a le mauvais signe : il faut {delta} − softmax(x) · Σ {delta}."
    ),
    "The softmax before the sum is missing: {delta} − softmax(x) · Σ {delta} is right.": (
        "Il manque le softmax devant la somme : il faut {delta} − softmax(x) · Σ {delta}."
    ),
    "That is the derivative of the softmax, not of its logarithm.": (
        "C'est la dérivée du softmax, pas celle de son logarithme."
    ),
    # Causes, places
    "the last place of axis {axis}": "la dernière place de l'axe {axis}",
    "the first place of axis {axis}": "la première place de l'axe {axis}",
    "place {index} of axis {axis}": "la place {index} de l'axe {axis}",
    "in {where}": "à {where}",
    "at {places}": "en {places}",
    "at the places {places} of axis {axis}": "aux places {places} de l'axe {axis}",
    "at the border of axes {axes} (padding?)": "au bord des axes {axes} (remplissage ?)",
    "It is the gradient of {where} of the output only.": "C'est le gradient de {where} de la sortie seulement.",
    "The share of {where} of the output is missing.": "Il manque la part de {where} de la sortie.",
    "The share of {where} of the output is counted twice.": "La part de {where} de la sortie est comptée deux fois.",
    "Nothing flows from one place of axis {axis} to another: what later steps owe to earlier ones is missing.": (
        "Rien ne circule d'une place de l'axe {axis} à l'autre : il manque ce que les pas suivants doivent aux"
        " précédents."
    ),
    "The stride of {stride} is ignored: the share of output i belongs {stride} · i places on.": (
        "Le pas (stride) de {stride} est ignoré : la part de la sortie i commence à la place {stride} · i."
    ),
    "{name} is flipped along axes {axes} where forward does not flip it, or the reverse.": (
        "{name} est retourné le long des axes {axes} alors que forward ne le retourne pas, ou l'inverse."
    ),
    "It is right but {where}.": "Il est juste, sauf {where}.",
    "It is right but {where}, where it is zero.": "Il est juste, sauf {where}, où il est nul.",
    "{count} of its {size} elements are NaN or infinite, the first at {where}.": (
        "{count} de ses {size} éléments sont NaN ou infinis, le premier en {where}."
    ),
    "{wrong} of {size} elements are wrong, by up to {largest}.": (
        "{wrong} éléments sur {size} sont faux, d'au plus {largest}."
    ),
    # Causes, losses
    "It is yhat − y: the derivative of softmax and cross-entropy in one, by the scores before the softmax, or"
    " that of another loss.": (
        "C'est yhat − y : la dérivée du softmax et de l'entropie croisée réunis, par rapport aux scores d'avant le"
        " softmax, ou celle d'une autre perte."
    ),
    "It is softmax(yhat) − y: the derivative for scores, but forward takes yhat as it is.": (
        "C'est softmax(yhat) − y : la dérivée pour des scores, mais forward prend yhat tel quel."
    ),
    "It is σ(yhat) − y: the derivative for scores, but forward takes yhat as it is.": (
        "C'est σ(yhat) − y : la dérivée pour des scores, mais forward prend yhat tel quel."
    ),
    "It is −y: the division by yhat is missing.": "C'est −y : il manque la division par yhat.",
    "It is −y / yhat: the term with (1 − y) / (1 − yhat) is missing.": (
        "C'est −y / yhat : il manque le terme (1 − y) / (1 − yhat)."
    ),
    "It is −y / yhat − (1 − y) / (1 − yhat): the second term has the wrong sign.": (
        "C'est −y / yhat − (1 − y) / (1 − yhat) : le deuxième terme a le mauvais signe."
    ),
    "The division by yhat (1 − yhat) is missing or squared.": (
        "La division par yhat (1 − yhat) manque, ou c'est une multiplication."
    ),
    "It is the softmax of yhat: y is not subtracted.": "C'est le softmax de yhat : y n'est pas soustrait.",
    "It is yhat: y is not subtracted.": "C'est yhat : y n'est pas soustrait.",
    "It is |yhat − y|: the sign is lost.": "C'est |yhat − y| : le signe est perdu.",
    "It is (yhat − y)²: the value, not its derivative.": "C'est (yhat − y)² : la valeur, pas sa dérivée.",
    "forward is divided by {count}, {name}, and backward is not.": (
        "forward est divisé par {count}, {name}, et backward ne l'est pas."
    ),
    "backward is divided by {count}, {name}, and forward is not.": (
        "backward est divisé par {count}, {name}, et forward ne l'est pas."
    ),
    "It is not divided by {count}, {name}: a sum in place of a mean.": (
        "La valeur n'est pas divisée par {count}, {name} : une somme au lieu d'une moyenne."
    ),
    "It is divided by {count}, {name}: a mean in place of a sum.": (
        "La valeur est divisée par {count}, {name} : une moyenne au lieu d'une somme."
    ),
    "It is the square root of what it should be.": "C'est la racine carrée de ce qu'il faut.",
    # Causes, values
    "It is the input itself.": "C'est l'entrée elle-même.",
    "The same row is missing or too much for each example: the bias.": (
        "La même ligne manque, ou est de trop, pour chaque exemple : le biais."
    ),
    "The columns add up to 1: the sum runs over axis 0, the examples; it belongs over axis 1, the classes.": (
        "Les colonnes ont pour somme 1 : la somme porte sur l'axe 0, les exemples ; elle doit porter sur l'axe 1, les"
        " classes."
    ),
    "The whole array adds up to 1: the sum runs over all axes; it belongs over axis 1, the classes.": (
        "Le tableau entier a pour somme 1 : la somme porte sur tous les axes ; elle doit porter sur l'axe 1, les"
        " classes."
    ),
    "The rows do not add up to 1: they are not divided by their sum.": (
        "Les lignes n'ont pas pour somme 1 : elles ne sont pas divisées par leur somme."
    ),
    "The examples are mixed: a sum, mean or maximum runs over axis 0.": (
        "Les exemples sont mélangés : une somme, une moyenne ou un maximum porte sur l'axe 0."
    ),
    "It is 1 minus what it should be: the sign in the exponential.": (
        "C'est 1 moins ce qu'il faut : le signe dans l'exponentielle."
    ),
    "The logarithm is missing.": "Il manque le logarithme.",
    "exp overflows: for a softmax, subtract the largest input of each example first.": (
        "exp déborde : pour un softmax, soustrayez d'abord la plus grande entrée de chaque exemple."
    ),
    "There is none for {name}.": "Il n'y en a pas pour {name}.",
    # Causes, what a method does or does not
    "{method} is not written yet.": "{method} n'est pas encore écrite.",
    "Is a return missing in {method}?": "Manque-t-il un return dans {method} ?",
    "It is changed in place: a *= b and a[i] -= b change a; work on a copy.": (
        "Le tableau est modifié sur place : a *= b et a[i] -= b changent a ; travaillez sur une copie."
    ),
    "It depends on an earlier forward: something is kept in self and not set anew.": (
        "Il dépend d'un forward précédent : quelque chose est gardé dans self sans être remis à jour."
    ),
    "No attribute holds it after backward_update_gradient.": (
        "Aucun attribut ne le contient après backward_update_gradient."
    ),
    "Only update_parameters may change the parameters.": "Seule update_parameters doit modifier les paramètres.",
    "It is overwritten: write += in place of =.": "L'ancien est écrasé : écrivez += au lieu de =.",
    "The second is not added.": "Le deuxième n'est pas ajouté.",
    "What was there is added once more.": "Ce qui était là est ajouté une fois de plus.",
    "It is subtracted: write += in place of -=.": "Il est soustrait : écrivez += au lieu de -=.",
    "Set the gradients to zero, not the parameters.": "Remettez à zéro les gradients, pas les paramètres.",
    "zero_grad does not set it to zero.": "zero_grad ne le remet pas à zéro.",
    "It is not changed.": "Il n'est pas modifié.",
    "The old value is lost: write -= in place of =.": "L'ancienne valeur est perdue : écrivez -= au lieu de =.",
    "The step goes with the gradient: write -= in place of +=.": (
        "Le pas va dans le sens du gradient : écrivez -= au lieu de +=."
    ),
    "gradient_step is not used.": "gradient_step n'est pas utilisé.",
    "gradient_step is not used, its default is.": (
        "gradient_step n'est pas utilisé : c'est sa valeur par défaut qui l'est."
    ),
    "The step is made twice.": "Le pas est fait deux fois.",
    "gradient_step is multiplied in twice.": "gradient_step est multiplié deux fois.",
    "The case of exactly 0 is treated wrongly.": "Le cas où l'entrée vaut exactement 0 est mal traité.",
    "Is something divided by the input or the output?": "Divise-t-on par l'entrée ou par la sortie ?",
    "forward is not finite for inputs of 1000: exp overflows (for a softmax, subtract the largest input first)": (
        "forward n'est pas fini pour des entrées de 1000 : exp déborde (pour un softmax, soustrayez d'abord la plus"
        " grande entrée)"
    ),
    "Give an input that it takes: check_handout(module, x).": (
        "Donnez une entrée qui convient : check_handout(module, x)."
    ),
    # Causes, networks and learning
    "The modules are passed in the reverse order.": "Les modules sont parcourus dans l'ordre inverse.",
    "The step does not reach it.": "Le pas ne l'atteint pas.",
    "The step goes with the gradient in place of against it.": (
        "Le pas va dans le sens du gradient, au lieu du sens opposé."
    ),
    "It is {factor} times the right step.": "C'est {factor} fois le bon pas.",
    "The gradient of the first step is still there: call zero_grad in step.": (
        "Le gradient du premier pas est encore là : appelez zero_grad dans step."
    ),
    "It was moved by a gradient worked out after a later module's parameters had been changed: update when all"
    " deltas are known.": (
        "Son gradient a été calculé après la modification des paramètres d'un module suivant : mettez à jour quand"
        " tous les delta sont connus."
    ),
    "In each epoch each example is to be used once.": "À chaque époque, chaque exemple doit servir une fois.",
    "There are {count} epochs.": "Il y a {count} époques.",
    "the examples are not shuffled": "les exemples ne sont pas mélangés",
    "Is the last, smaller batch left out?": "Le dernier lot, plus petit, est-il oublié ?",
    "batch_size is not used.": "batch_size n'est pas utilisé.",
    "Give the others by name: check_handout({name}, x, y, …).": (
        "Donnez les autres par leur nom : check_handout({name}, x, y, …)."
    ),
    "Shuffle a list of indices, not the data.": "Mélangez une liste d'indices, pas les données.",
    "x and y are shuffled apart: use the same indices for both.": (
        "x et y sont mélangés séparément : prenez les mêmes indices pour les deux."
    ),
    "steps of one size for all elements": "des pas de même taille pour tous les éléments",
    "That is Adam or another rule, not plain descent.": "C'est Adam ou une autre règle, pas la simple descente.",
    "It is nearly right, to {error}: a small constant (eps, clip) or a rounding stands in one of forward and"
    " backward only.": (
        "Il est presque juste, à {error} près : une petite constante (eps, clip) ou un arrondi n'est que dans forward"
        " ou que dans backward."
    ),
    "Where windows overlap, a later share overwrites an earlier one: write += in place of =.": (
        "Là où les fenêtres se recouvrent, une part écrase la précédente : écrivez += au lieu de =."
    ),
    "It is 2 (yhat − y), the derivative of (yhat − y)², and that is not what forward computes.": (
        "C'est 2 (yhat − y), la dérivée de (yhat − y)², et ce n'est pas ce que forward calcule."
    ),
    "It is −y / yhat, the derivative of −y log yhat, and that is not what forward computes.": (
        "C'est −y / yhat, la dérivée de −y log yhat, et ce n'est pas ce que forward calcule."
    ),
    "Each module is given its output in place of its input in the backward pass.": (
        "Dans la passe backward, chaque module reçoit sa sortie au lieu de son entrée."
    ),
    "backward_delta is given the output of the module in place of its input.": (
        "backward_delta reçoit la sortie du module au lieu de son entrée."
    ),
    "Every module is given the same delta: what backward_delta returns is the delta of the module before.": (
        "Tous les modules reçoivent le même delta : ce que backward_delta renvoie est le delta du module précédent."
    ),
    "A module's gradient takes the delta that its own backward_delta has just returned.": (
        "Le gradient d'un module prend le delta que son propre backward_delta vient de renvoyer."
    ),
    "The first module is left out of the backward pass.": "Le premier module est oublié dans la passe backward.",
    "The last module is left out of the backward pass.": "Le dernier module est oublié dans la passe backward.",
    "A module's parameters are changed before its backward_delta is worked out: update when all are known.": (
        "Les paramètres d'un module sont modifiés avant le calcul de son backward_delta : mettez à jour quand tous"
        " les delta sont connus."
    ),
    "output of forward": "sortie de forward",
    "a differentiable function near the inputs": "une fonction dérivable près des entrées",
    "one without a derivative here and at all places beside": "une fonction sans dérivée, ici comme à côté",
    "It has kinks, jumps or noise everywhere, or its values are too large for the differences.": (
        "Elle a partout des angles, des sauts ou du bruit, ou ses valeurs sont trop grandes pour les différences."
    ),
    "the same for the same inputs and the same random draws": "la même pour les mêmes entrées et les mêmes tirages",
    "Draw random numbers from maillon.random.resolve(self.generator) only.": (
        "Ne tirez de nombres aléatoires que de maillon.random.resolve(self.generator)."
    ),
    "It is zero in every direction.": "Elle est nulle dans toutes les directions.",
    "{number} along a random direction, by finite differences": (
        "{number} dans une direction tirée au hasard, par différences finies"
    ),
    "gradient of input {name}": "gradient de l'entrée {name}",
    "gradient of parameter {name}": "gradient du paramètre {name}",
    "{what}, {when}": "{what}, {when}",
    "in eval mode, {what}": "en mode eval, {what}",
    "with None for the gradient of output {place}": "avec None pour le gradient de la sortie {place}",
    "after an earlier forward and backward": "après un forward et un backward précédents",
    "backward after a forward": "backward après un forward",
    "backward without a forward": "backward sans forward",
    "a second backward after one forward": "un deuxième backward après un seul forward",
    "a gradient": "un gradient",
    "the gradient that backward returned": "le gradient que backward a renvoyé",
    "{name}, part {place}": "{name}, partie {place}",
    "one array": "un seul tableau",
    "a {kind} of {count}": "un {kind} de {count}",
    "{count} of them": "{count}",
    "a tuple of {count}, one for each input": "un tuple de {count}, un par entrée",
    "{number}, the sum of the elements": "{number}, la somme des éléments",
    "what backward(1) gives": "ce que donne backward(1)",
    "Give other inputs.": "Donnez d'autres entrées.",
    "None, for it is frozen": "None, car il est gelé",
    "None, for the input is {kind}": "None, car l'entrée est {kind}",
    "{dtype} of shape {shape}": "{dtype} de forme {shape}",
    "what was there plus the new gradient": "ce qui était là plus le nouveau gradient",
    "the new gradient alone": "le nouveau gradient seul",
    "what was there alone": "ce qui était là seul",
    "what was there plus the new gradient twice": "ce qui était là plus deux fois le nouveau gradient",
    "what was there twice plus the new gradient": "deux fois ce qui était là plus le nouveau gradient",
    "what was there less the new gradient": "ce qui était là moins le nouveau gradient",
    "Use parameter.accumulate(grad).": "Utilisez parameter.accumulate(grad).",
    "an error that names the link": "une erreur qui nomme le maillon",
    "no error": "aucune erreur",
    "self.keep(…) in forward and self.release(grad_output) in backward see to it.": (
        "self.keep(…) dans forward et self.release(grad_output) dans backward s'en chargent."
    ),
    "that of this forward": "celui de ce forward",
    "the same values after {method}": "les mêmes valeurs après {method}",
    "Make a new array: a *= b changes a, a = a * b does not.": (
        "Créez un nouveau tableau : a *= b modifie a, a = a * b ne le modifie pas."
    ),
}
