"""Small architectures that everybody knows, as one writes them in PyTorch."""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from catalogue.rows import Draw, labels, normal

import maillon
from maillon.nn import Module
from maillon.typing import Array


@dataclass(frozen=True)
class Net:
    """A module, what it is given, and what from_torch is told beside it."""

    name: str
    make: Callable[[ModuleType], Any]
    draws: tuple[Draw, ...]
    example: bool = False
    links: Callable[[Any], Any] = field(default=lambda module: {})
    kind: str = ""

    def __str__(self) -> str:
        return self.name


def lenet(torch: ModuleType) -> Any:
    nn, F = torch.nn, torch.nn.functional

    class LeNet5(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
            self.conv2 = nn.Conv2d(6, 16, 5)
            self.fc1 = nn.Linear(16 * 5 * 5, 120)
            self.fc2 = nn.Linear(120, 84)
            self.fc3 = nn.Linear(84, 10)

        def forward(self, x: Any) -> Any:
            x = F.max_pool2d(torch.tanh(self.conv1(x)), 2)
            x = F.avg_pool2d(F.relu(self.conv2(x)), (2, 2))
            x = x.view(-1, 16 * 5 * 5)
            x = F.relu(self.fc2(F.relu(self.fc1(x))))
            return F.log_softmax(self.fc3(x), dim=1)

    return LeNet5()


def resnet(torch: ModuleType) -> Any:
    nn = torch.nn

    class BasicBlock(nn.Module):
        def __init__(self, before: int, after: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(after)
            self.relu = nn.ReLU(inplace=True)
            self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(after)
            self.downsample = None
            if stride != 1 or before != after:
                self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

        def forward(self, x: Any) -> Any:
            identity = x
            out = self.relu(self.bn1(self.conv1(x)))
            out = self.bn2(self.conv2(out))
            if self.downsample is not None:
                identity = self.downsample(x)
            out += identity
            return self.relu(out)

    class ResNet8(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Sequential(
                nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(inplace=True)
            )
            self.layer1 = nn.Sequential(BasicBlock(4, 4, 1))
            self.layer2 = nn.Sequential(BasicBlock(4, 8, 2))
            self.layer3 = nn.Sequential(BasicBlock(8, 16, 2))
            self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
            self.fc = nn.Linear(16, 10)

        def forward(self, x: Any) -> Any:
            x = self.layer3(self.layer2(self.layer1(self.stem(x))))
            return self.fc(torch.flatten(self.avgpool(x), 1))

    return ResNet8()


def lstm_classifier(torch: ModuleType) -> Any:
    nn = torch.nn

    class LSTMClassifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(11, 5, padding_idx=0)
            self.lstm = nn.LSTM(5, 6, num_layers=2, batch_first=True)
            self.dropout = nn.Dropout(0.3)
            self.fc = nn.Linear(6, 3)

        def forward(self, tokens: Any) -> Any:
            _, (h_n, _) = self.lstm(self.embedding(tokens))
            return self.fc(self.dropout(h_n[-1]))

    return LSTMClassifier()


def both_ways(torch: ModuleType) -> Any:
    nn = torch.nn

    class BiLSTM(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.hidden = 4
            self.lstm = nn.LSTM(3, self.hidden, bidirectional=True)
            self.fc = nn.Linear(8, 2)

        def forward(self, x: Any) -> Any:
            zeros = torch.zeros(2, x.size(1), self.hidden, dtype=x.dtype)
            _, (h, _) = self.lstm(x, (zeros, zeros.to(x.device)))
            return self.fc(torch.cat([h[-2], h[-1]], dim=1))

    return BiLSTM()


def transformer_classifier(torch: ModuleType) -> Any:
    nn = torch.nn

    class TransformerClassifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(13, 8)
            layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, activation="gelu", batch_first=True)
            self.encoder = nn.TransformerEncoder(layer, 2, nn.LayerNorm(8), enable_nested_tensor=False)
            self.head = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 4))

        def forward(self, tokens: Any) -> Any:
            return self.head(self.encoder(self.embedding(tokens)).mean(dim=1))

    return TransformerClassifier()


class Sampled(Module):
    """z = μ + σ ε with a given ε; dμ = dz, dσ = ε dz."""

    def forward(self, mean: Array, spread: Array, noise: Array) -> Array:
        return self.keep(mean + spread * noise, spread, noise)

    def backward(self, grad_output: Array) -> Any:
        spread, noise = self.release(grad_output)
        return grad_output, noise * grad_output, spread * grad_output


def vae(torch: ModuleType) -> Any:
    nn, F = torch.nn, torch.nn.functional

    class Sample(nn.Module):
        def forward(self, mean: Any, spread: Any, noise: Any) -> Any:
            return torch.addcmul(mean, spread, noise)

    class VAE(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.Sequential(nn.Linear(12, 8), nn.ReLU())
            self.mean, self.spread = nn.Linear(8, 3), nn.Linear(8, 3)
            self.sample = Sample()
            self.decoder = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 12), nn.Sigmoid())

        def forward(self, x: Any, noise: Any) -> Any:
            code = self.encoder(x)
            mean, spread = self.mean(code), F.softplus(self.spread(code))
            return self.decoder(self.sample(mean, spread, noise)), mean, spread

    return VAE()


def u_net(torch: ModuleType) -> Any:
    nn = torch.nn

    class DoubleConv(nn.Module):
        def __init__(self, before: int, after: int) -> None:
            super().__init__()
            self.block = nn.Sequential(
                nn.Conv2d(before, after, 3, padding=1),
                nn.BatchNorm2d(after),
                nn.ReLU(inplace=True),
                nn.Conv2d(after, after, 3, padding=1),
                nn.ReLU(inplace=True),
            )

        def forward(self, x: Any) -> Any:
            return self.block(x)

    class UNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down1, self.down2 = DoubleConv(1, 3), DoubleConv(3, 6)
            self.pool = nn.MaxPool2d(2)
            self.bottom = DoubleConv(6, 6)
            self.up2, self.up1 = nn.ConvTranspose2d(6, 6, 2, stride=2), nn.Upsample(scale_factor=2, mode="bilinear")
            self.conv2, self.conv1 = DoubleConv(12, 3), DoubleConv(6, 3)
            self.out = nn.Conv2d(3, 2, 1)

        def forward(self, x: Any) -> Any:
            first = self.down1(x)
            second = self.down2(self.pool(first))
            y = self.bottom(self.pool(second))
            y = self.conv2(torch.cat([self.up2(y), second], dim=1))
            y = self.conv1(torch.cat((self.up1(y), first), 1))
            return self.out(y)

    return UNet()


def mlp(torch: ModuleType) -> Any:
    nn, F = torch.nn, torch.nn.functional

    class MLP(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.bn1 = nn.Linear(7, 9), nn.BatchNorm1d(9)
            self.fc2, self.bn2 = nn.Linear(9, 9), nn.BatchNorm1d(9, momentum=None)
            self.out = nn.Linear(9, 2)
            self.p = 0.4

        def forward(self, x: Any) -> Any:
            x = F.dropout(F.leaky_relu(self.bn1(self.fc1(x)), 0.2), p=self.p, training=self.training)
            x = self.bn2(self.fc2(x)).relu()
            return self.out(x)

    return MLP()


def autoencoder(torch: ModuleType) -> Any:
    nn, F = torch.nn, torch.nn.functional

    class Autoencoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.ModuleDict({"a": nn.Conv2d(1, 4, 3, 2, 1), "b": nn.Conv2d(4, 8, 3, 2, 1)})
            self.squeeze, self.decode = nn.Linear(8 * 2 * 2, 5), nn.Linear(5, 32)
            self.up = nn.ModuleList([nn.ConvTranspose2d(8, 4, 3, 2, 1, 1), nn.ConvTranspose2d(4, 1, 4, 2, 1)])

        def forward(self, x: Any) -> Any:
            batch = x.size(0)
            x = F.elu(self.encoder["b"](F.elu(self.encoder["a"](x))))
            x = self.decode(self.squeeze(x.view(batch, -1)))
            x = x.view(batch, 8, 2, 2)
            for layer in self.up:
                x = layer(F.silu(x))
            return torch.sigmoid(x)

    return Autoencoder()


def gru_tagger(torch: ModuleType) -> Any:
    nn = torch.nn

    class Tagger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(10, 4)
            self.gru = nn.GRU(4, 5, batch_first=True, bidirectional=True)
            self.norm = nn.LayerNorm(10)
            self.tag = nn.Linear(10, 6)

        def forward(self, words: Any) -> Any:
            output, _ = self.gru(self.embed(words))
            return self.tag(self.norm(output))

    return Tagger()


def separable(torch: ModuleType) -> Any:
    nn = torch.nn

    def block(before: int, after: int, stride: int) -> Any:
        return nn.Sequential(
            nn.Conv2d(before, before, 3, stride, 1, groups=before, bias=False),
            nn.GroupNorm(1, before),
            nn.ReLU6(inplace=True),
            nn.Conv2d(before, after, 1, bias=False),
            nn.Hardswish(inplace=True),
        )

    return nn.Sequential(
        block(2, 4, 1), block(4, 6, 2), nn.Dropout2d(0.2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3)
    )


def siamese(torch: ModuleType) -> Any:
    nn, F = torch.nn, torch.nn.functional

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.fc2 = nn.Linear(5, 6), nn.Linear(6, 6)

        def forward(self, x: Any) -> Any:
            return self.fc2(torch.tanh(self.fc1(x))) * self.fc2(F.mish(self.fc1(x)))

    class Siamese(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = Encoder()
            self.out = nn.Bilinear(6, 6, 1)

        def forward(self, left: Any, right: Any) -> Any:
            a, b = self.encoder(left), self.encoder(right)
            return F.cosine_similarity(a, b), self.out(a, b)

    return Siamese()


def dense_block(torch: ModuleType) -> Any:
    nn = torch.nn

    class DenseBlock(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(
                nn.Sequential(nn.BatchNorm2d(2 + 3 * i), nn.ReLU(), nn.Conv2d(2 + 3 * i, 3, 3, padding=1))
                for i in range(3)
            )
            self.out = nn.Conv2d(11, 1, 1)

        def forward(self, x: Any) -> Any:
            features = [x]
            for layer in self.layers:
                features.append(layer(torch.cat(features, 1)))
            return self.out(torch.cat(features, 1))

    return DenseBlock()


def gated_convolutions(torch: ModuleType) -> Any:
    nn, F = torch.nn, torch.nn.functional

    class WaveNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.filters = nn.ModuleList(nn.Conv1d(3, 3, 2, dilation=2**i) for i in range(3))
            self.gates = nn.ModuleList(nn.Conv1d(3, 3, 2, dilation=2**i) for i in range(3))
            self.mix = nn.Conv1d(3, 3, 1)
            self.head = nn.Conv1d(3, 4, 1)

        def forward(self, x: Any) -> Any:
            skips = []
            for i, (filtered, gate) in enumerate(zip(self.filters, self.gates, strict=True)):
                padded = F.pad(x, (2**i, 0))
                y = self.mix(filtered(padded).tanh() * gate(padded).sigmoid())
                skips.append(y)
                x = x + y
            return self.head(F.relu(sum(skips)))

    return WaveNet()


def encoder_decoder(torch: ModuleType) -> Any:
    nn = torch.nn

    class Seq2Seq(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.decoder = nn.LSTM(3, 4), nn.LSTM(2, 4)
            self.attend = nn.MultiheadAttention(4, 2)
            self.out = nn.Linear(4, 2)

        def forward(self, source: Any, target: Any) -> Any:
            memory, (h, c) = self.encoder(source)
            y, _ = self.decoder(target, (torch.tanh(h), c))
            attended, _ = self.attend(y, memory, memory, need_weights=False)
            return self.out(attended + y)

    return Seq2Seq()


def with_pooled_attention(torch: ModuleType) -> Any:
    """A transformer's decoder beside its encoder, tied embeddings, and a frozen layer."""
    nn = torch.nn

    class Translator(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(9, 4)
            self.transformer = nn.Transformer(4, 2, 1, 1, 6, dropout=0.0, batch_first=True)
            self.out = nn.Linear(4, 9, bias=False)
            self.out.weight = self.embed.weight
            self.transformer.encoder.requires_grad_(False)

        def forward(self, source: Any, target: Any) -> Any:
            return self.out(self.transformer(self.embed(source), self.embed(target)))

    return Translator()


NETS = [
    Net("LeNet-5", lenet, (normal(3, 1, 28, 28),)),
    Net("ResNet-8", resnet, (normal(4, 3, 8, 8),)),
    Net("LSTM classifier", lstm_classifier, (labels(11, 4, 6),)),
    Net("LSTM in both directions", both_ways, (normal(5, 3, 3),)),
    Net("transformer encoder classifier", transformer_classifier, (labels(13, 3, 5),), example=True),
    Net(
        "VAE",
        vae,
        (normal(5, 12), normal(5, 3)),
        links=lambda module: {type(module.sample): lambda _: Sampled()},
    ),
    Net("U-Net", u_net, (normal(2, 1, 8, 8),)),
    Net("MLP with dropout and BatchNorm", mlp, (normal(6, 7),)),
    Net("autoencoder of convolutions", autoencoder, (normal(3, 1, 8, 8),)),
    Net("GRU tagger", gru_tagger, (labels(10, 3, 4),)),
    Net("depthwise-separable CNN", separable, (normal(2, 2, 6, 6),)),
    Net("siamese, one encoder twice", siamese, (normal(4, 5), normal(4, 5))),
    Net("dense block", dense_block, (normal(2, 2, 5, 5),)),
    Net("gated convolutions with skips", gated_convolutions, (normal(2, 3, 9),)),
    Net("encoder, decoder and attention", encoder_decoder, (normal(4, 2, 3), normal(3, 2, 2))),
    Net("transformer with tied and frozen weights", with_pooled_attention, (labels(9, 2, 4), labels(9, 2, 3))),
]
BY_NAME = {net.name: net for net in NETS}
__all__ = ["BY_NAME", "NETS", "Net", "Sampled", "maillon"]
