"""What a model fails on, and how often with and without it. (The third application; Table 5.)

    python scripts/recipes/failures.py
    python scripts/recipes/failures.py TABLE --errors label,prediction

Drawn: the dogs and cats of predictions.py; model 1 is right on 3 of 10 in snow, else on 9 of 10.
"""

from _drawn import run
from predictions import draw

if __name__ == "__main__":
    run(draw, "compare", "--errors", "label,model_1")
