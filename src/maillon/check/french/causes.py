"""What is wrong, or how to go on."""

CAUSES = {
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
    "It is yhat − y: the derivative of softmax and cross-entropy in one, by the scores before the softmax, or"
    " that of another loss.": (
        "C'est yhat − y : la dérivée du softmax et de l'entropie croisée réunis, par rapport aux scores d'avant le"
        " softmax, ou celle d'une autre perte."
    ),
    "It is softmax(yhat) − y, the derivative of cross-entropy with scores; forward is another one.": (
        "C'est softmax(yhat) − y, la dérivée de l'entropie croisée de scores ; forward calcule autre chose."
    ),
    "It is σ(yhat) − y, the derivative of binary cross-entropy with scores; forward is another one.": (
        "C'est σ(yhat) − y, la dérivée de l'entropie croisée binaire de scores ; forward calcule autre chose."
    ),
    "It is −y: the division by yhat is missing.": "C'est −y : il manque la division par yhat.",
    "It is −y / yhat: the term with (1 − y) / (1 − yhat) is missing.": (
        "C'est −y / yhat : il manque le terme (1 − y) / (1 − yhat)."
    ),
    "It is −y / yhat − (1 − y) / (1 − yhat): the second term has the wrong sign.": (
        "C'est −y / yhat − (1 − y) / (1 − yhat) : le deuxième terme a le mauvais signe."
    ),
    "It is (yhat − y) · yhat (1 − yhat): divide by yhat (1 − yhat) in place of multiplying.": (
        "C'est (yhat − y) · yhat (1 − yhat) : il faut diviser par yhat (1 − yhat) au lieu de multiplier."
    ),
    "It is −y, and that is not the derivative of what forward computes.": (
        "C'est −y, et ce n'est pas la dérivée de ce que forward calcule."
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
    "The modules are passed in the reverse order.": "Les modules sont parcourus dans l'ordre inverse.",
    "The step does not reach it.": "Le pas ne l'atteint pas.",
    "The step goes with the gradient in place of against it.": (
        "Le pas va dans le sens du gradient, au lieu du sens opposé."
    ),
    "It is {factor} times the right step.": "C'est {factor} fois le bon pas.",
    "The gradient of the first step is still there: call zero_grad in step.": (
        "Le gradient du premier pas est encore là : appelez zero_grad dans step."
    ),
    "It was moved by a gradient worked out after a later module's parameters had been changed: update when"
    " all deltas are known.": (
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
    "It is nearly right, to {error}: is there a small constant (eps, clip), a rounding or an approximation in"
    " one of forward and backward only?": (
        "Il est presque juste, à {error} près : y a-t-il une petite constante (eps, clip), un arrondi ou une"
        " approximation dans un seul de forward et de backward ?"
    ),
    "It is flipped along axes {axes}.": "Il est retourné le long des axes {axes}.",
    "{name} is taken transposed in backward.": "{name} est pris transposé dans backward.",
    "input {name}": "entrée {name}",
    "parameter {name}": "paramètre {name}",
    "It is the gradient of {other}: are the two exchanged?": (
        "C'est le gradient d'un autre ({other}) : les deux sont-ils échangés ?"
    ),
    "It is yhat − y: the division by yhat (1 − yhat) is missing.": (
        "C'est yhat − y : il manque la division par yhat (1 − yhat)."
    ),
    "The gradient of output {number} is not used.": "Le gradient de la sortie {number} n'est pas utilisé.",
    "A row and a column were added: (N,) and (N, 1) give (N, N). Use keepdims for both or for none.": (
        "Une ligne et une colonne ont été additionnées : (N,) et (N, 1) donnent (N, N). Mettez keepdims aux deux ou à"
        " aucune."
    ),
    "one number, one for each example or one for each element": "un nombre, un par exemple ou un par élément",
    "a value for each example, of that example alone": "une valeur par exemple, qui ne dépend que de lui",
    "values that depend on others": "des valeurs qui dépendent des autres",
    "A factor 2 too much, added twice, or the division by the square root of 4 is missing.": (
        "Un facteur 2 de trop, un ajout fait deux fois, ou la division par la racine de 4 qui manque."
    ),
    "It depends on something outside of the object: a global variable, or one of the class.": (
        "Il dépend de quelque chose d'extérieur à l'objet : une variable globale, ou une variable de classe."
    ),
}
