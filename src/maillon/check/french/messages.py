"""What messages are made of: the frame, the rules, what was expected and what came."""

MESSAGES = {
    "rule {rule}, {sentence}: broken by {link}.": "règle {rule}, {sentence} : {link} ne la respecte pas.",
    "{what}: expected {expected}, got {got}{error}.": "{what} : attendu {expected}, obtenu {got}{error}.",
    " (relative error {number})": " (erreur relative {number})",
    "right": "justes",
    "relative error ≤ {error}": "erreur relative ≤ {error}",
    "{first} {second}": "{first} {second}",
    "{first} or {second}": "{first} ou {second}",
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
    "parameter {name} after {method}": "paramètre {name} après {method}",
    "a second backward pass": "une deuxième passe backward",
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
    "It is zero in every direction.": "Il est nul dans toutes les directions.",
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
