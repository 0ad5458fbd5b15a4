"""Non-local blocks: identity at the start, a slow twin, and the number of parameters."""

import torch

from tapetum.nets.non_local import NonLocalBlock


def random_block(channels, inner):
    torch.manual_seed(0)
    block = NonLocalBlock(channels, inner).double()
    torch.nn.init.normal_(block.norm.weight)
    torch.nn.init.normal_(block.norm.bias)
    return block


def test_starts_as_identity_and_can_leave_it():
    block = NonLocalBlock(4, 1)
    maps = torch.rand(2, 4, 3, 2, generator=torch.Generator().manual_seed(0))
    assert torch.equal(block(maps), maps)
    assert torch.equal(block.eval()(maps), maps)
    block.train()(maps).pow(2).sum().backward()
    assert block.norm.weight.grad.abs().min() > 0


def test_slow_twin():
    block = random_block(4, 2).eval()
    maps = torch.rand(2, 4, 3, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    expected = maps.clone()
    for n in range(2):
        positions = [maps[n, :, i, j] for i in range(3) for j in range(2)]
        for index, x_i in enumerate(positions):
            total = torch.zeros(2, dtype=torch.float64)
            for x_j in positions:
                theta, phi, g = (
                    branch.weight[:, :, 0, 0] @ x + branch.bias
                    for branch, x in ((block.theta, x_i), (block.phi, x_j), (block.g, x_j))
                )
                total = total + (theta @ phi) * g / 6
            update = block.out.weight[:, :, 0, 0] @ total + block.out.bias
            update = update / (1 + block.norm.eps) ** 0.5 * block.norm.weight + block.norm.bias  # statistics 0 and 1
            expected[n, :, index // 2, index % 2] += update
    torch.testing.assert_close(block(maps), expected)


def test_gradient():
    block = random_block(3, 1).eval()
    maps = torch.rand(2, 3, 2, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    assert torch.autograd.gradcheck(block, maps.requires_grad_())


def test_parameters():
    # theta, phi, g: 3 (512 + 1); out: 2 * 512; norm: 2 * 512.
    assert sum(p.numel() for p in NonLocalBlock(512, 1).parameters()) == 1539 + 1024 + 1024
